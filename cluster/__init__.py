"""How a process meets its surroundings: settings, storage, lake, warehouse, Ray. It knows nothing of sales."""

import warnings

# deltalake looks for a user's runtime folder at its import and complains where there is none, as for root.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
