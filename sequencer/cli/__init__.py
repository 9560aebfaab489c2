"""The command line: one module for each group of commands. Standard output carries results and nothing else."""
