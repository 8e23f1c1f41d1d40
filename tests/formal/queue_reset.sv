// rw_queue_reset: a queue is cleared once a reset, when nothing of it has been on its way for two edges and all its
// chunks are back, and it gets there.
// Relies on: a reset stands until the queue is cleared, and no longer.
`include "rw_check.svh"
module queue_reset #(
    parameter QUEUES = 2
) (
    input logic              clk,
    input logic              rst,
    input logic [QUEUES-1:0] resetting,
    input logic [QUEUES-1:0] quiet,
    input logic [QUEUES-1:0] flushed
);
    logic [QUEUES-1:0] flush, clear;
    logic              idle, awake;
    rw_queue_reset #(.QUEUES(QUEUES)) dut (.*);
    (* hierconn *) wire [QUEUES-1:0] \dut.settled_reg ;

    (* anyconst *) logic queue;
    logic was_resetting, was_quiet, was_clear, was_flushing, twice;
    logic stood;                                       // quiet in reset at the edge before
    initial assume (rst);
    always @(posedge clk) begin
        was_resetting <= resetting[queue];
        was_clear     <= clear[queue];
        was_flushing  <= flush[queue];
        twice         <= stood && resetting[queue] && quiet[queue];
        stood         <= resetting[queue] && quiet[queue];
        if (rst) begin
            was_resetting <= 1'b0;
            was_clear     <= 1'b0;
            was_flushing  <= 1'b0;
            twice         <= 1'b0;
            stood         <= 1'b0;
        end
        if (!rst) begin
            assume (!(was_resetting && !was_clear) || resetting[queue]);
            assume (!was_clear || !resetting[queue]);
            `RW_CHECK(flushed_only_in_reset, !flush[queue] || resetting[queue])
            `RW_CHECK(flushed_only_when_it_stands, !(flush[queue] && !was_flushing) || twice)
            `RW_CHECK(flushed_when_it_stands, !(twice && !was_clear) || flush[queue])
            `RW_CHECK(flushed_until_all_is_back, !(was_flushing && !was_clear) || flush[queue])
            `RW_CHECK(cleared_when_all_is_back, clear[queue] == (flush[queue] && flushed[queue]))
            `RW_CHECK(cleared_once, !(was_clear && clear[queue]))
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(flush[queue] || (resetting[queue] && quiet[queue])))
            `RW_CHECK(settled, \dut.settled_reg [queue] == stood && (!was_clear || !flush[queue]))
            cleared: cover (clear[queue] && was_flushing);
            quiet_for_an_edge_only: cover (flush[queue] && !was_flushing && !clear[!queue] && flush[!queue]);
        end
    end
endmodule
