"""Jobs and the `retail` command: arguments, settings, session, then the steps."""
