"""HTTP: the gateway. It imports no pipeline."""
