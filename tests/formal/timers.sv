// rw_timers, any periods: a timer has expired at the first edge at or after its time, in whole nanoseconds, and the
// deadline is the time of the first of those that run.
// Relies on: time goes on and stays below 2^63; a period is below 2^31 ns.
`include "rw_check.svh"
module timers #(
    parameter QUEUES = 2
) (
    input logic                 clk,
    input logic                 rst,
    input logic [63:0]          tod,
    input logic [QUEUES-1:0]    start,
    input logic [QUEUES*32-1:0] period,
    input logic [QUEUES-1:0]    running
);
    logic [QUEUES-1:0] expired;
    logic              deadline_valid;
    logic [63:0]       deadline;
    rw_timers #(.QUEUES(QUEUES)) dut (.*);

    (* hierconn *) wire [47:0] \dut.expiry_reg[0] , \dut.expiry_reg[1] ;

    (* anyconst *) logic queue;
    wire [31:0] time_ns = queue ? period[63:32] : period[31:0];
    logic [63:0] before, due, other_due;               // due exactly, as asked for
    logic        set, other_set;
    wire [31:0]  other_ns = queue ? period[31:0] : period[63:32];
    wire         waits    = running[queue] && set && !expired[queue];
    wire         other    = running[!queue] && other_set && !expired[!queue];

    initial assume (rst);
    always @(posedge clk) begin
        before <= rst ? '0 : tod;
        if (start[queue]) due <= tod + {16'd0, time_ns, 16'd0};
        if (start[!queue]) other_due <= tod + {16'd0, other_ns, 16'd0};
        set <= !rst && (set || start[queue]);
        other_set <= !rst && (other_set || start[!queue]);
        if (!rst) begin
            assume (tod > before && !tod[63]);
            assume (!period[31] && !period[63]);
            assume (!running[queue] || set);
            assume (!running[!queue] || other_set);
            `RW_CHECK(never_expired_early, !(set && expired[queue]) || tod >= due)
            `RW_CHECK(expired_in_time, !set || expired[queue] || tod < due + 64'h10000)
            `RW_CHECK(a_deadline_if_one_waits, deadline_valid == (waits || other))
            `RW_CHECK(no_timer_waits_beyond_the_deadline, !waits || deadline < due + 64'h10000)
            `RW_CHECK(the_deadline_is_of_one_that_waits,
                      !deadline_valid || (waits && deadline >= due) || (other && deadline >= other_due))
            `RW_CHECK(expired_at_the_deadline, !(waits && deadline_valid && !other) || deadline > tod)
            // what the block knows
            `RW_CHECK(mine, !set || ((queue ? \dut.expiry_reg[1] : \dut.expiry_reg[0] ) == (due + 64'hffff) >> 16
                && due < before + (64'd1 << 48)))
            `RW_CHECK(its_own, !other_set || ((queue ? \dut.expiry_reg[0] : \dut.expiry_reg[1] )
                == (other_due + 64'hffff) >> 16 && other_due < before + (64'd1 << 48)))
            `RW_CHECK(time_is_below, !before[63])
            expires: cover (set && expired[queue] && before < due && time_ns != 0);
            both_wait: cover (waits && other && due != other_due);
        end
    end
endmodule
