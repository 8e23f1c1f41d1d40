// Clock gate: lets the edges of a clock through that a stage needs. A stage says of each edge whether it is awake; asleep,
// nothing that matters in it would have changed. So results are the same with and without the gate, and a simulator does
// not evaluate what stands still; a stage's checks, too, look at the edges that it has. In hardware, and where waves are
// recorded, the clock goes through.
// Rate: an edge a cycle. Latency: none: what runs at an edge of `tick` sees what it would at that edge of `clk`.
`ifdef SYNTHESIS
 `define RW_UNGATED
`elsif YOSYS
 `define RW_UNGATED
`endif
module rw_clock_gate (
    input  logic clk,
    input  logic awake,                                 // follows from registers and inputs, and so is settled at the edge
    output logic tick
);
`ifdef RW_UNGATED
    wire unused = &{1'b0, awake};
    assign tick = clk;
`else
    // blocking: `tick` is to rise before any register has changed
    // verilator lint_off BLKSEQ
    initial tick = 1'b0;
    always @(posedge clk) tick = awake !== 1'b0;        // as long as it is not known, before the first reset, too
    always @(negedge clk) tick = 1'b0;
    // verilator lint_on BLKSEQ
`endif
endmodule
