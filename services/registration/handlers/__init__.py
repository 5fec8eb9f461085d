"""The work of registration: get, act, announce."""
