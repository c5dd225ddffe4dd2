"""F5, the command line (docs/DESIGN.md section 5.1).

    main  options               the entry; options that several verbs have in common
    local                       the verbs that need no running edge
    operate  revoke  edge       those that ask one over its admin API, and how it is asked
    receipts                    the auditor's
    show                        how answers look
"""
