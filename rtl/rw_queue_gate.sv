// Queue gate: which queues may send their next frame now, by PFC, weight, rate limit and launch time.
// Weights are deficit round robin: a frame takes its bytes off its queue's credit, a queue without credit waits for the
// next round, and what it took too much counts then. A rate limit spaces a queue's frames by their own bytes, from when each
// was due if it came less than a frame late. A packet with a launch time waits until `launch_lead` before.
// Rate: a frame a cycle of all queues together; of one that is limited a frame in 7 cycles. Latency: 1 cycle (credit),
// 2 (launch time of a new head), 6 (rate).
`include "rw_check.svh"
module rw_queue_gate #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1 // bits of a queue number; derived
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [63:0]          tod,                   // 48.16 ns
    input  logic [7:0]           pfc,                   // priorities that must not send
    input  logic [QUEUES*3-1:0]  priorities,
    input  logic [23:0]          launch_lead,           // ns
    input  logic [QUEUES*18-1:0] weights,               // bytes a round; 0: not weighted
    input  logic [QUEUES*54-1:0] byte_times,            // 2^-40 ns; 0: no limit
    input  logic [QUEUES-1:0]    q_clear,
    // the oldest packet of each queue
    input  logic [QUEUES-1:0]    head_valid,
    input  logic [QUEUES-1:0]    head_launch,           // it has a launch time
    input  logic [QUEUES*64-1:0] head_time,             // 48.16 ns
    input  logic [QUEUES-1:0]    head_begun,            // its first frame has gone
    input  logic                 pop,                   // it goes
    input  logic [QW-1:0]        pop_queue,
    // a frame goes
    input  logic                 charge,
    input  logic [QW-1:0]        charge_queue,
    input  logic [14:0]          charge_len,            // bytes, not padded
    input  logic [QUEUES-1:0]    refill,                // a round begins for these queues
    // what may
    output logic [QUEUES-1:0]    in_credit,
    output logic [QUEUES-1:0]    opened,                // as far as rate and launch time go
    output logic [QUEUES-1:0]    limited,               // ... of which the next frame is not known in the next cycle
    output logic [QUEUES-1:0]    late,                  // the head's launch time has passed
    output logic                 deadline_valid,
    output logic [63:0]          deadline,              // 48.16 ns
    output logic                 idle,
    output logic                 awake
);
    localparam CW = 20;                                 // bits of a credit: more than a weight and a frame, signed

    wire [15:0] size = {1'b0, (charge_len < 15'd60) ? 15'd60 : charge_len};

    // ---- weights: bytes left of the round, less one, so that the sign tells whether there are any
    logic signed [CW-1:0] credit_reg [0:QUEUES-1];
    logic [QUEUES-1:0]    weighted, weighted_reg;
    integer k;
    always_ff @(posedge clk)
        for (k = 0; k < QUEUES; k = k + 1) begin
            weighted_reg[k] <= weighted[k];
            if (refill[k])
                credit_reg[k] <= (credit_reg[k][CW-1] ? credit_reg[k] : -20'sd1) + $signed({2'b00, weights[k*18 +: 18]});
            else if (charge && charge_queue == k[QW-1:0] && weighted_reg[k])
                credit_reg[k] <= credit_reg[k] - $signed({4'd0, size});
            if (rst || q_clear[k]) credit_reg[k] <= '1;
        end
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_credit
            assign weighted[q]  = weights[q*18 +: 18] != 18'd0;
            assign in_credit[q] = !weighted_reg[q] || !credit_reg[q][CW-1];
        end
    endgenerate

    // ---- rates: when the next frame may go, 48.40 ns; worked out in five steps, while the queue is busy
    logic [87:0]       next_reg [0:QUEUES-1];
    logic [QUEUES-1:0] limits, limited_reg, busy_reg, reached_reg;
    logic [4:0]        step_reg;                        // [n]: a frame is in step n
    logic [QW-1:0]     queue_reg [0:4];
    logic [15:0]       size_reg;
    logic [53:0]       unit_reg;
    logic [42:0]       low_reg, high_reg;
    logic [69:0]       cost_reg;
    logic [87:0]       sum_reg;
    wire  [87:0]       now = {tod, 24'd0};
    integer r;
    always_ff @(posedge clk) begin
        step_reg     <= {step_reg[3:0], charge && limited_reg[charge_queue]};
        queue_reg[0] <= charge_queue;
        for (r = 1; r < 5; r = r + 1) queue_reg[r] <= queue_reg[r-1];
        if (charge) begin
            size_reg <= size;
            unit_reg <= byte_times[charge_queue*54 +: 54];
        end
        if (step_reg[0]) begin
            low_reg  <= {27'd0, size_reg} * {16'd0, unit_reg[26:0]};
            high_reg <= {27'd0, size_reg} * {16'd0, unit_reg[53:27]};
        end
        if (step_reg[1]) cost_reg <= {27'd0, low_reg} + {high_reg, 27'd0};
        if (step_reg[2]) sum_reg  <= next_reg[queue_reg[2]] + {18'd0, cost_reg};
        if (step_reg[3]) next_reg[queue_reg[3]] <= (sum_reg < now) ? now : sum_reg;
        for (r = 0; r < QUEUES; r = r + 1) begin
            limited_reg[r] <= limits[r];
            reached_reg[r] <= now >= next_reg[r];
            if (charge && limited_reg[r] && charge_queue == r[QW-1:0]) busy_reg[r] <= 1'b1;
            else if (step_reg[4] && queue_reg[4] == r[QW-1:0])        busy_reg[r] <= 1'b0;
            if (rst) next_reg[r] <= '0;
        end
        if (rst) begin
            step_reg <= '0;
            busy_reg <= '0;
        end
    end
    assign limited = limited_reg;

    // ---- launch times
    logic [QUEUES-1:0] launched_reg, late_reg;          // of the head that is there
    wire  [63:0]       horizon = tod + {24'd0, launch_lead, 16'd0};
    integer l;
    always_ff @(posedge clk)
        for (l = 0; l < QUEUES; l = l + 1) begin
            launched_reg[l] <= head_valid[l] && !(pop && pop_queue == l[QW-1:0]) && horizon >= head_time[l*64 +: 64];
            late_reg[l]     <= tod > head_time[l*64 +: 64];
        end
    wire [QUEUES-1:0] timed    = head_valid & head_launch;
    wire [QUEUES-1:0] grounded = head_launch & ~head_begun & ~launched_reg;
    wire [QUEUES-1:0] early    = limited_reg & ~reached_reg;
    logic [QUEUES-1:0] stopped, stopped_reg;            // by PFC
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_stopped
            assign limits[q]  = byte_times[q*54 +: 54] != 54'd0;
            assign stopped[q] = pfc[priorities[q*3 +: 3]];
        end
    endgenerate
    always_ff @(posedge clk) stopped_reg <= stopped;
    assign opened = ~(limited_reg & busy_reg) & ~early & ~grounded & ~stopped_reg;
    assign late   = late_reg;

    // ---- for a clock that stops: when a queue that has something to send will be let
    wire [63:0] lead = {24'd0, launch_lead, 16'd0};
    wire [QUEUES-1:0]    waits = head_valid & (grounded | early);
    wire [QUEUES*64-1:0] times;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_deadline
            wire [63:0] launch = head_time[q*64 +: 64];
            assign times[q*64 +: 64] = !grounded[q] ? next_reg[q][87:24] + {63'd0, next_reg[q][23:0] != 24'd0}
                                     : (launch < lead) ? 64'd0 : launch - lead;
        end
    endgenerate
    assign deadline_valid = waits != '0;
    rw_earliest #(.N(QUEUES)) u_deadline (.valid(waits), .times(times), .earliest(deadline));
    assign idle = stopped == stopped_reg && step_reg == '0 && (busy_reg & limited_reg) == '0;
    // the oldest packet of a queue comes, goes or has a launch time; or a rate counts; or the configuration has changed
    assign awake = !idle || charge || refill != '0 || q_clear != '0 || pop || (head_valid ^ launched_reg) != '0
        || timed != '0 || limited_reg != '0 || limits != limited_reg || weighted != weighted_reg;

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(a_limited_queue_goes_only_when_it_may, !charge || !limited_reg[charge_queue] || !busy_reg[charge_queue])
    end
endmodule
