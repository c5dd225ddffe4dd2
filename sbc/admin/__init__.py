"""F4, the operators' door.

    api  answers  revoking      REST over Operations; how it says yes and no; what an order to revoke says
    stream                      events as they happen
    guard  roles  patience      which pages may not ask; who may ask for what; how long a request is waited for
"""
