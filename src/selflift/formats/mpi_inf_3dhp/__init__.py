"""MPI-INF-3DHP: training and test annotations."""
