"""The work of the approval desk: get, act, announce."""
