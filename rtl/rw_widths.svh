// Widths of the records whose fields rw_frame.svh names: they stand in ports, so modules take them as parameters.
`ifndef RW_WIDTHS_SVH
`define RW_WIDTHS_SVH
`define RW_META_W(QW) ((QW) + 40)
`define RW_EDIT_W 86
`define RW_REQ_W 46
`define RW_CTX_W 112
`define RW_PATCH_W 240
`define RW_SLOT_W 5
`endif
