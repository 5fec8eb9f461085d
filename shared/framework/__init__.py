"""All we know about nameko and eventlet: what a service is made of. No rule and no handler imports this.

Import from the modules: nothing may be imported here before `green.patch` has run.
"""
