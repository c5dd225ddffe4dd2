import cython

from sbc.core._fields cimport first, form_of, without
from sbc.core._octets cimport index
from sbc.model.http cimport Request


cdef dict _told
cdef dict _shut
cdef int _QUERY


@cython.locals(form=int)
cpdef check_fields(list fields, Py_ssize_t most)
@cython.locals(kept=list, asker=tuple)
cpdef list node_fields(Request request)
cpdef list client_fields(list fields, object hidden)
cpdef list node_trailers(list fields)
cpdef list client_trailers(list fields, object hidden)
cpdef bytes node_target(bytes target)
cdef _named(list fields)
cdef bytes _list_of(list fields, bytes name)
