"""A Fabric network in this process: real blocks, real signatures, no sockets."""
