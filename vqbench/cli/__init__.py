"""The command line: commands, screens, and how a run ends.

Floor 7. May import ``storage``, ``quantizers``, ``search``, ``datasets``, ``results``, ``evaluation``, ``analysis``,
``report``, ``experiment``, and the loose modules of ``vqbench``.
"""
