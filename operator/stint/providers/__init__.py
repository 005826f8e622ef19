"""ModelProvider: where the model is, how to reach it, what it costs."""
