import cython

from sbc.core._fields cimport form_of, without
from sbc.model.http cimport Request


@cython.locals(form=int)
cpdef check_fields(list fields, Py_ssize_t most)
@cython.locals(name=bytes, value=bytes, kept=list)
cpdef list node_fields(Request request)
cpdef list client_fields(list fields, object hidden)
cpdef list node_trailers(list fields)
cpdef list client_trailers(list fields, object hidden)
cpdef bytes node_target(bytes target)
@cython.locals(name=bytes, value=bytes)
cdef _named(list fields)
