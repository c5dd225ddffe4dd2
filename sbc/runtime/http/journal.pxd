from sbc.core._fields cimport lines_of
from sbc.core._octets cimport decimal
from sbc.model.http cimport Request

cpdef bytes request_entry(Request request, bytes body, bint standing)
