// rw_interrupt, any moderation, any doorbells: an interrupt only of an armed queue, once; and none is lost: while a
// queue is armed, not masked, and more is visible than software has consumed, it fires as soon as moderation lets it.
// Relies on: time goes on and stays below 2^63; periods are below 2^31 ns, frames below 2^15, as rw_csr has them.
`include "rw_check.svh"
module interrupt #(
    parameter QUEUES = 2,
    parameter QW     = 1
) (
    input logic                 clk,
    input logic                 rst,
    input logic [63:0]          tod,
    input logic [QUEUES-1:0]    q_clear,
    input logic [QUEUES-1:0]    mask,
    input logic [QUEUES*16-1:0] mod_frames,
    input logic [QUEUES*32-1:0] mod_ns,
    input logic [QUEUES*16-1:0] issued,
    input logic [QUEUES*16-1:0] visible,
    input logic [QUEUES-1:0]    urgent_seen,
    input logic                 con_valid,
    input logic [QW-1:0]        con_queue,
    input logic [15:0]          con_index,
    input logic                 con_arm
);
    logic              con_ok, deadline_valid, idle, awake;
    logic [15:0]       con_number;
    logic [QUEUES-1:0] irq;
    logic [63:0]       deadline;
    rw_interrupt #(.QUEUES(QUEUES)) dut (.*);

    (* hierconn *) wire [QUEUES-1:0] \dut.fire , \dut.armed_reg , \dut.at_once_reg , \dut.urgent_reg , \dut.timing_reg ;
    (* hierconn *) wire [15:0] \dut.consumed_reg[0] , \dut.consumed_reg[1] ;
    (* hierconn *) wire [47:0] \dut.timers.expiry_reg[0] , \dut.timers.expiry_reg[1] ;

    (* anyconst *) logic queue;
    wire [15:0] frames = queue ? mod_frames[31:16] : mod_frames[15:0];
    wire [31:0] ns     = queue ? mod_ns[63:32]     : mod_ns[31:0];
    wire [15:0] there  = queue ? visible[31:16]    : visible[15:0];
    wire [15:0] all    = queue ? issued[31:16]     : issued[15:0];
    wire        mine   = con_queue == queue;
    wire        fire   = \dut.fire [queue];

    logic        armed, at_once, urgent, waits, fired;
    logic [15:0] consumed;
    logic [63:0] before, since;                        // when the first one that is not consumed was seen
    logic [31:0] hold;                                 // ... and how long it may be held back
    wire  [15:0] unseen = there - consumed;
    wire         some   = unseen != 0 && !unseen[15];
    wire  [15:0] behind = there - con_index;           // not consumed by this doorbell

    initial assume (rst);
    always @(posedge clk) begin
        before <= rst ? '0 : tod;
        fired  <= fire;
        if (fire) begin
            armed   <= 1'b0;
            at_once <= 1'b0;
            urgent  <= 1'b0;
        end
        if (urgent_seen[queue]) urgent <= 1'b1;
        if (con_ok && mine) consumed <= con_index;
        if (con_ok && mine && con_arm) begin
            armed   <= 1'b1;
            at_once <= behind != 0 && !behind[15];
            urgent  <= urgent_seen[queue];
        end
        waits <= some && !fire;
        if (some && !waits) begin
            since <= tod;
            hold  <= ns;
        end
        if (rst || q_clear[queue]) begin
            armed    <= 1'b0;
            at_once  <= 1'b0;
            urgent   <= 1'b0;
            waits    <= 1'b0;
            consumed <= '0;
        end
        if (rst) fired <= 1'b0;
        if (!rst) begin
            assume (tod > before && !tod[63]);
            assume (!mod_ns[31] && !mod_ns[63] && !mod_frames[15] && !mod_frames[31]);

            `RW_CHECK(never_fires_unarmed, !fire || (armed && !mask[queue] && some))
            `RW_CHECK(fires_at_once_if_more_was_there, !(armed && !mask[queue] && some && at_once) || fire)
            `RW_CHECK(fires_at_once_for_an_error, !(armed && !mask[queue] && some && urgent) || fire)
            `RW_CHECK(fires_when_enough_have_gathered,
                      !(armed && !mask[queue] && some && frames > 1 && unseen >= frames) || fire)
            `RW_CHECK(fires_at_once_without_moderation,
                      !(armed && !mask[queue] && some && frames <= 1 && ns == 0) || fire)
            `RW_CHECK(fires_when_held_long_enough, !(armed && !mask[queue] && some && ns != 0 && waits
                && tod >= since + {16'd0, hold, 16'd0} + 64'h10000) || fire)
            `RW_CHECK(held_back_as_long_as_it_may, !fire || at_once || urgent || (frames > 1 && unseen >= frames)
                || (frames <= 1 && ns == 0) || (ns != 0 && waits && tod >= since + {16'd0, hold, 16'd0}))
            `RW_CHECK(wakes_to_fire, !(armed && !mask[queue] && some && ns != 0 && waits) || fire
                || (deadline_valid && deadline <= since + {16'd0, hold, 16'd0} + 64'hffff))
            `RW_CHECK(a_pulse_for_each, irq[queue] == fired)
            `RW_CHECK(consumes_no_more_than_there_are, !(con_ok && mine)
                || (con_valid && con_number == con_index - consumed && con_number <= all - consumed))
            `RW_CHECK(takes_what_is_consumed,
                      !(con_valid && mine && con_index - consumed <= all - consumed) || con_ok)
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(fire || irq[queue] || (some && !waits)))
            // what the block knows
            `RW_CHECK(state, {\dut.armed_reg [queue], \dut.at_once_reg [queue], \dut.urgent_reg [queue],
                \dut.timing_reg [queue]}
                == {armed, at_once, urgent, waits})
            `RW_CHECK(count, (queue ? \dut.consumed_reg[1] : \dut.consumed_reg[0] ) == consumed)
            `RW_CHECK(expiry, !waits || ((queue ? \dut.timers.expiry_reg[1] : \dut.timers.expiry_reg[0] )
                == ((since + 64'hffff) >> 16) + {32'd0, hold}
                && since <= before))
            `RW_CHECK(time_is_below, !before[63])

            moderated_by_time: cover (fire && !at_once && !urgent && ns > 5 && frames == 0);
            moderated_by_number: cover (fire && !at_once && !urgent && frames == 3 && ns == 0);
            error: cover (fire && !at_once && urgent && ns != 0);
            fires_again: cover (fire && fired);
            armed_while_it_fires: cover (fire && con_ok && mine && con_arm);
            seen_before_it_is_visible: cover (armed && unseen[15] && consumed != 0);
        end
    end
endmodule
