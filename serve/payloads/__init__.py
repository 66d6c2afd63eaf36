"""The shapes of the answers, one module per resource; they know no route and no statement."""
