from sbc.core._fields cimport first


cpdef route_key(object request, object key, object body)
cpdef session_token(object request)
cpdef minted(list fields, object key)
cdef _find(object request, object key, object body)
