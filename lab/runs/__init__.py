"""A run: doing one, opening one, and what is asked of a finished one."""
