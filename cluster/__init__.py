"""How a process meets its surroundings: settings, storage, lake, warehouse, Ray. It knows nothing of sales."""
