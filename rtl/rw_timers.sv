// One timer a queue, in whole nanoseconds of the time of day, and the earliest deadline among those that run.
// Rate: all queues each cycle. Latency: a timer set for t has expired at the first edge at or after t.
module rw_timers #(
    parameter QUEUES = 1                                // transmit queues
) (
    input  logic                 clk,
    input  logic [63:0]          tod,                   // 48.16 ns
    input  logic [QUEUES-1:0]    start,                 // set to now + period
    input  logic [QUEUES*32-1:0] period,                // ns, below 2^31
    input  logic [QUEUES-1:0]    running,               // counts for the deadline
    output logic [QUEUES-1:0]    expired,
    output logic                 deadline_valid,
    output logic [63:0]          deadline               // 48.16 ns
);
    logic [47:0] expiry_reg [0:QUEUES-1];               // all of the time of day: no wrap, however long it stands
    wire  [47:0] now    = tod[63:16];
    wire  [47:0] now_up = now + {47'd0, tod[15:0] != 16'd0};

    wire  [QUEUES*48-1:0] expiries;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            assign expired[q]            = now >= expiry_reg[q];
            assign expiries[q*48 +: 48] = expiry_reg[q];
            always_ff @(posedge clk)
                if (start[q]) expiry_reg[q] <= now_up + {16'd0, period[q*32 +: 32]};
        end
    endgenerate

    wire [QUEUES-1:0] pending = running & ~expired;
    wire [47:0]       least;
    assign deadline_valid = pending != '0;
    assign deadline       = {least, 16'd0};
    rw_earliest #(.N(QUEUES), .W(48)) u_earliest (.valid(pending), .times(expiries), .earliest(least));
endmodule
