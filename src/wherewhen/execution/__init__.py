"""Where work is done: in this process, or in processes of several machines (Ray)."""
