"""Creates each service from the settings, in a module per service: the only place that chooses concrete classes.

Heavy libraries are imported inside functions, so that each process loads only what it needs. For the same reason this
package imports none of its modules: a command that works on the catalog loads `documents` alone.
"""
