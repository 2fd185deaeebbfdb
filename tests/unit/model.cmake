# SPDX-License-Identifier: MIT
# The tables below the registry against naive ones, and the registry against a naive model.
canceld_test(test_base LABEL unit TIMEOUT 120 SOURCES unit/test_base.c LINKS canceld_base)
canceld_test(test_region LABEL unit TIMEOUT 60 SOURCES unit/test_region.c LINKS canceld_base)
canceld_test(test_siphash LABEL unit TIMEOUT 120 SOURCES unit/test_siphash.c LINKS canceld_base)
canceld_test(test_registry_model LABEL model TIMEOUT 300
    SOURCES model/coverage.c model/list.c model/lister.c model/model.c model/model_adopt.c
            model/model_cancel.c model/model_drain.c model/model_field.c model/model_frame.c
            model/model_group.c model/model_journal.c model/model_list.c model/model_request.c
            model/model_rights.c model/model_store.c model/model_time.c model/model_tree.c
            model/model_watch.c model/model_work.c model/reply.c model/reply_read.c model/round.c
            model/round_check.c model/round_compare.c model/round_journal.c
            model/round_restart.c model/round_trace.c model/round_watch.c model/script.c
            model/script_frame.c model/script_group.c model/script_op.c
            model/script_spoil.c model/test_registry_model.c
    LINKS canceld_registry)
