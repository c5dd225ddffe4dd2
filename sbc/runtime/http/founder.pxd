from sbc.runtime.http.asked cimport Asked
from sbc.runtime.http.session cimport HttpSession


cdef class Founder:
    cdef object _again, _host, _registry, _singles

    cdef HttpSession _made(self, Asked asked, object name, object keys, object on_record)
    cdef _make_room(self, Asked asked)
