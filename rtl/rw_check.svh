// One assertion macro for clocked blocks. It ends a simulation with $fatal on both simulators (a failing plain assert
// passes in Icarus), is a labelled assert in a proof, and nothing in synthesis.
`ifndef RW_CHECK_SVH
`define RW_CHECK_SVH
`ifdef FORMAL
`define RW_CHECK(label, condition) label: assert (condition);
`elsif YOSYS
`define RW_CHECK(label, condition)
`else
`define RW_CHECK(label, condition) \
    if ((condition) !== 1'b1) begin \
        $display("CHECK failed: %m: %s", `"label`"); \
        $fatal(1, "CHECK failed"); \
    end
`endif
`endif
