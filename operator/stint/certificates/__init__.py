"""The serving certificate of the admission webhook: made, judged, renewed.

The controller that leads keeps it in a Secret and tells the API server, by `caBundle` of the webhook configurations, whom to trust; the admission
replicas read it from there. A certificate authority signs one certificate, and its key is thrown away.
"""
