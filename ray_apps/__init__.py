"""Jobs and the `retail` command: arguments, settings, session, then the steps. Nothing below imports it."""

JOBS = ("daily_refresh",)
"""Modules of this folder that `ray job submit -- python -m ray_apps.<job>` runs."""
