// rw_queue_gate, any frames of two queues, any settings that stay: a queue has had no more than its rounds gave it before
// its last frame, and waits for a round only if it has had that; a limited queue waits for its time and no longer, and its
// time goes on by what its frame takes, from when that was due or from now; a packet with a launch time waits for it, less
// the lead; a priority that is stopped waits.
// Relies on: time goes on and stays below 2^62; frames go only of queues that may; a round begins only for queues in
// debt or at rest; a packet stays at its queue's head until it goes.
`include "rw_check.svh"
module queue_gate (
    input logic         clk,
    input logic         rst,
    input logic [63:0]  tod,
    input logic [7:0]   pfc,
    input logic [1:0]   q_clear,
    input logic [1:0]   head_valid,
    input logic [1:0]   head_launch,
    input logic [127:0] head_time,
    input logic [1:0]   head_begun,
    input logic         pop,
    input logic         pop_queue,
    input logic         charge,
    input logic         charge_queue,
    input logic [14:0]  charge_len,
    input logic [1:0]   refill
);
    (* anyconst *) logic [23:0]  launch_lead;
    (* anyconst *) logic [35:0]  weights;
    (* anyconst *) logic [107:0] byte_times;
    (* anyconst *) logic [5:0]   priorities;
    logic [1:0]  in_credit, opened, limited, late;
    logic        deadline_valid, idle, awake;
    logic [63:0] deadline;
    rw_queue_gate #(.QUEUES(2)) dut (.*);

    (* hierconn *) wire [1:0]  \dut.weighted_reg , \dut.limited_reg , \dut.busy_reg , \dut.reached_reg ,
        \dut.launched_reg , \dut.late_reg , \dut.stopped_reg ;
    (* hierconn *) wire signed [19:0] \dut.credit_reg[0] , \dut.credit_reg[1] ;
    (* hierconn *) wire [87:0] \dut.next_reg[0] , \dut.next_reg[1] , \dut.sum_reg ;
    (* hierconn *) wire [4:0]  \dut.step_reg ;
    (* hierconn *) wire        \dut.queue_reg[0] , \dut.queue_reg[1] , \dut.queue_reg[2] , \dut.queue_reg[3] ,
        \dut.queue_reg[4] ;
    (* hierconn *) wire [69:0] \dut.cost_reg ;
    (* hierconn *) wire [15:0] \dut.size_reg ;
    (* hierconn *) wire [53:0] \dut.unit_reg ;
    (* hierconn *) wire [42:0] \dut.low_reg , \dut.high_reg ;

    // ---- any queue
    (* anyconst *) logic queue;
    wire [17:0] weight  = weights[queue*18 +: 18];
    wire [53:0] unit    = byte_times[queue*54 +: 54];
    wire [2:0]  class_  = priorities[queue*3 +: 3];
    wire [63:0] at      = head_time[queue*64 +: 64];
    wire        mine    = charge && charge_queue == queue;
    wire [15:0] size    = (charge_len < 60) ? 16'd60 : {1'b0, charge_len};
    wire [87:0] now     = {tod, 24'd0};
    wire signed [19:0] credit = queue ? \dut.credit_reg[1] : \dut.credit_reg[0] ;
    wire [87:0] next    = queue ? \dut.next_reg[1] : \dut.next_reg[0] ;

    logic [63:0] before;
    logic        known;                                // the settings are seen
    // bytes that the queue had more than was given, or less
    logic signed [31:0] owes;
    // the frame of a limited queue that is being reckoned, by the edges since it went
    logic [4:0]  since;                                // [n]: it went n + 1 edges ago
    logic [15:0] bytes;
    logic [69:0] takes;
    logic [87:0] due;
    logic [42:0] low, high;
    logic        was_there, was_stopped, was_launch;
    logic [63:0] was_at;

    initial assume (rst);
    always @(posedge clk) begin
        before <= tod;
        known  <= !rst;
        if (rst || q_clear[queue]) owes <= 0;
        else if (weight != 0) begin
            if (refill[queue])  owes <= (owes < 0 ? 0 : owes) - $signed({14'd0, weight});
            else if (mine) owes <= owes + $signed({16'd0, size});
        end
        since <= rst ? '0 : {since[3:0], mine && \dut.limited_reg [queue]};
        if (mine) bytes <= size;
        low   <= {27'd0, bytes} ^ {16'd0, unit[26:0]};
        high  <= {27'd0, bytes} ^ {16'd0, unit[53:27]};
        if (since[1]) takes <= {27'd0, low} + {high, 27'd0};
        if (rst) due <= '0;
        else if (since[3]) due <= (due + {18'd0, takes} < now) ? now : due + {18'd0, takes};
        was_there   <= head_valid[queue] && !(pop && pop_queue == queue);
        was_at      <= at;
        was_launch  <= head_launch[queue];
        was_stopped <= pfc[class_];
        if (!rst) begin
            assume (tod > before && tod < 64'd1 << 62);
            assume (weights[17:0] == 0 || weights[17:0] >= 64);
            assume (weights[35:18] == 0 || weights[35:18] >= 64);
            assume (!charge || (opened[charge_queue] && in_credit[charge_queue]));
            assume (!charge || charge_len <= 16644);
            assume (!refill[queue] || !mine);
            assume (!pop || head_valid[pop_queue]);
            assume (!was_there || (head_valid[queue] && at == was_at && head_launch[queue] == was_launch));
            assume (!(charge && \dut.limited_reg [charge_queue]) || known);
            assume (due < 88'd1 << 87);

            // ---- weights
            `RW_CHECK(a_queue_waits_for_a_round_when_it_has_had_its_share,
                      in_credit[queue] == (weight == 0 || owes < 0))
            `RW_CHECK(nobody_has_more_than_a_round, weight == 0 || (owes >= -$signed({14'd0, weight})
                && owes < 16645))
            `RW_CHECK(credit_is_known, weight == 0 || {{12{credit[19]}}, credit} == -owes - 1)
            `RW_CHECK(settings, (\dut.weighted_reg [queue] == (weight != 0)
                && \dut.limited_reg [queue] == (unit != 0) && limited[queue] == (unit != 0)))
            // ---- rates
            `RW_CHECK(no_frame_before_its_time, !(mine && known && unit != 0) || (due <= {before, 24'd0} && since == 0))
            `RW_CHECK(none_is_held_beyond_it, opened[queue] || !known || since != 0 || due > {before, 24'd0}
                || was_stopped || (head_launch[queue] && !head_begun[queue]))
            `RW_CHECK(due_is_known, next == due)
            `RW_CHECK(one_frame_at_a_time, since == 0 || since == 1 || since == 2 || since == 4 || since == 8 || since == 16)
            `RW_CHECK(steps, ((\dut.step_reg [0] && \dut.queue_reg[0] == queue) == since[0])
                && ((\dut.step_reg [1] && \dut.queue_reg[1] == queue) == since[1])
                && ((\dut.step_reg [2] && \dut.queue_reg[2] == queue) == since[2])
                && ((\dut.step_reg [3] && \dut.queue_reg[3] == queue) == since[3])
                && ((\dut.step_reg [4] && \dut.queue_reg[4] == queue) == since[4]))
            `RW_CHECK(busy, \dut.busy_reg [queue] == (since != 0))
            `RW_CHECK(reached, !known || since[4] || \dut.reached_reg [queue] == (due <= {before, 24'd0}))
            `RW_CHECK(product, (!since[0] || (\dut.size_reg == bytes && \dut.unit_reg == unit))
                && (!since[1] || (\dut.low_reg == low && \dut.high_reg == high))
                && (!since[2] || \dut.cost_reg == takes) && (!since[3] || \dut.sum_reg == due + {18'd0, takes}))
            // ---- launch times
            `RW_CHECK(no_packet_long_before_its_launch, !opened[queue] || !head_launch[queue] || head_begun[queue]
                || !head_valid[queue] || (was_there && before + {24'd0, launch_lead, 16'd0} >= at))
            `RW_CHECK(launched, !\dut.launched_reg [queue] || (was_there && before + {24'd0, launch_lead, 16'd0} >= at))
            `RW_CHECK(late_is_late, !was_there || late[queue] == (before > at))
            // ---- flow control, sleep
            `RW_CHECK(a_stopped_priority_waits, !known || !was_stopped || !opened[queue])
            `RW_CHECK(stopped, !known || \dut.stopped_reg [queue] == was_stopped)
            `RW_CHECK(asleep_only_until_it_may, !known || opened[queue] || was_stopped || !head_valid[queue] || !idle
                || (deadline_valid && (deadline <= at || {deadline - 64'd1, 24'd0} < due)))

            paid: cover (known && weight != 0 && owes > 0 && refill[queue]);
            waits: cover (unit != 0 && since == 0 && head_valid[queue] && !opened[queue] && due > 1 << 30);
            made_up_for: cover (since[3] && due != 0 && due + {18'd0, takes} > now && due + (88'd1 << 26) < {before, 24'd0});
            launches: cover (opened[queue] && was_there && head_launch[queue] && !head_begun[queue] && late[queue]);
        end
    end
endmodule
