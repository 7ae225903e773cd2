"""The explorer: map, atoms and time linked."""
