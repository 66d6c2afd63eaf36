"""Jobs and the `retail` command: arguments, settings, session, then the steps. Nothing below imports it."""

JOBS = ("daily_refresh", "basket_pairs")
"""Modules of this folder that `ray job submit -- python -m ray_apps.<job>` runs."""
