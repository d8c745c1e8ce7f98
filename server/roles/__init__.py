"""The four roles of a cluster: what each is told, how each runs, alone in its process or with others."""
