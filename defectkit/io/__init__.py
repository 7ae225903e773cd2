"""Files in and out: trajectories one frame at a time, whole files or none."""
