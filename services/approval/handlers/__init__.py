"""The work of approval: get, act, announce."""
