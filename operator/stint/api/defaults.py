"""What holds when neither the session nor its profile says anything.

These are not defaults of the CRDs: the API server would write them into every session, and a session's fields win over its
profile's, so no profile could ever change them. The controller fills them in when it has merged the two.
"""

from typing import Literal

RETRY_LIMIT = 2
BACKOFF_INITIAL = "10s"
BACKOFF_FACTOR = 2
BACKOFF_MAX = "10m"

TIMEOUT = "1h"
START_TIMEOUT = "5m"

VOLUME_SIZE = "1Gi"
VOLUME_ACCESS_MODES = ("ReadWriteOnce",)
VOLUME_RETAIN_POLICY: Literal["Delete"] = "Delete"
GIT_DEPTH = 1
FILE_MODE = 0o644

# The pod is the sandbox: nobody sits there to answer a permission question, and what the agent must not do, the pod cannot do.
PERMISSION_MODE: Literal["bypassPermissions"] = "bypassPermissions"
REPOSITORY_INSTRUCTIONS = True
REPOSITORY_SETTINGS = False

PROVIDER = "default"
"""Name of the ModelProvider when neither session nor profile names one."""
