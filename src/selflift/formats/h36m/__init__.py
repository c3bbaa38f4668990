"""Human3.6M in the forms that its users have: VideoPose3D, CDF archives, h36m-fetch and others."""
