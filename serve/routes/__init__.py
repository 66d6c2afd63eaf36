"""The handlers, one module per resource: each asks for typed dependencies and returns a payload."""
