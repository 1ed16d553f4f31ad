"""A packet's life, one file a step; decides, never acts."""
