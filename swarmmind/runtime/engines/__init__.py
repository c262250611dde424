"""What workers are made of: processes of this machine, or Ray's actors on many."""
