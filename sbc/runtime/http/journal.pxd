cpdef bytes request_entry(object request, bytes body, bint standing)
