"""
One file a message of IBC v2: ``validate`` says all that can make it fail and changes nothing,
``execute`` changes and cannot fail. Applications are called by the host in between or after.
"""
