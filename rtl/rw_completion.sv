// Completion writer: gathers completions a queue at a time and writes them to the queue's ring, up to a beat's worth in
// one AXI write, when enough have gathered, when the oldest has waited long enough, or at once for an error or a queue
// that stands. With head write-back, reports update the head record and only errors use the ring.
// What has been written counts as visible when the write response is there.
// Rate: a completion in and one out each cycle (64 bit: one in two). Latency: 3 cycles to the write's address.
`include "rw_check.svh"
module rw_completion #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter DEPTH  = 16                               // completions gathered a queue; a power of two
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [63:0]          tod,                   // 48.16 ns
    // configuration
    input  logic [QUEUES-1:0]    q_enable,
    input  logic [QUEUES-1:0]    q_hurry,               // write at once: the queue stands
    input  logic [QUEUES-1:0]    q_clear,
    input  logic [QUEUES*4-1:0]  ring_log2,
    input  logic [QUEUES*64-1:0] cpl_base,              // bytes
    input  logic [QUEUES*64-1:0] head_addr,             // bytes; bit 0: head write-back
    input  logic [QUEUES*5-1:0]  threshold,
    input  logic [QUEUES*32-1:0] timer_ns,
    // frames that are done, from two places
    input  logic                 s_a_valid,
    output logic                 s_a_ready,
    input  logic [QW-1:0]        s_a_queue,
    input  logic [15:0]          s_a_index,
    input  logic [3:0]           s_a_status,
    input  logic                 s_a_tstamp,
    input  logic [19:0]          s_a_segments,
    input  logic [63:0]          s_a_time,
    input  logic                 s_b_valid,
    output logic                 s_b_ready,
    input  logic [QW-1:0]        s_b_queue,
    input  logic [15:0]          s_b_index,
    input  logic [3:0]           s_b_status,
    input  logic                 s_b_tstamp,
    input  logic [19:0]          s_b_segments,
    input  logic [63:0]          s_b_time,
    // refused doorbells, and the tails that hold
    input  logic [QUEUES-1:0]    bad_doorbell,
    input  logic [QUEUES*16-1:0] tail,
    input  logic [QUEUES-1:0]    event_ok,
    output logic                 event_valid,
    output logic [QW-1:0]        event_queue,
    // AXI write
    output logic [63:0]          m_axi_awaddr,
    output logic [7:0]           m_axi_awlen,
    output logic                 m_axi_awvalid,
    input  logic                 m_axi_awready,
    output logic [DATA_W-1:0]    m_axi_wdata,
    output logic [DATA_W/8-1:0]  m_axi_wstrb,
    output logic                 m_axi_wlast,
    output logic                 m_axi_wvalid,
    input  logic                 m_axi_wready,
    input  logic                 m_axi_bvalid,
    input  logic                 m_axi_berr,
    // progress
    output logic [QUEUES*16-1:0] issued,                // completions written, counted from the last reset
    output logic [QUEUES*16-1:0] visible,               // ... and acknowledged
    output logic [QUEUES-1:0]    urgent_seen,           // pulse: an error has become visible
    output logic [QUEUES-1:0]    write_failed,          // pulse
    output logic [QUEUES-1:0]    none_pending,
    output logic                 stat_cpl,              // pulses
    output logic                 stat_head,
    output logic                 deadline_valid,
    output logic [63:0]          deadline,
    output logic                 idle,
    output logic                 awake
);
`include "ringwire_regs.svh"
    localparam DW    = $clog2(DEPTH);
    localparam MW    = $clog2(QUEUES * DEPTH);          // bits of an index into all that is gathered
    localparam EW    = 20 + 64 + 16 + 4 + 1;
    localparam LANES = (DATA_W >= 128) ? DATA_W / 128 : 1;
    localparam LINE  = LANES * 128;                     // bits of what one write can hold
    localparam LB    = $clog2(LANES);
    localparam BB    = $clog2(DATA_W / 8);

    // ---- gather: one in a cycle; a refused doorbell first, then frames from the wire, then from the buffer
    logic [DW:0]   count_reg [0:QUEUES-1];
    logic [15:0]   issued_reg  [0:QUEUES-1];            // reports and errors written
    logic [15:0]   visible_reg [0:QUEUES-1];            // ... and acknowledged
    logic [DW-1:0] in_reg    [0:QUEUES-1];
    logic [DW-1:0] out_reg   [0:QUEUES-1];
    logic [QUEUES-1:0] bad_reg, urgent_reg;
    logic [EW-1:0] mem [0:QUEUES*DEPTH-1];

    logic          bad_any;
    logic [QW-1:0] bad_queue;
    integer        i;
    always @* begin
        bad_any   = 1'b0;
        bad_queue = '0;
        for (i = 0; i < QUEUES; i = i + 1)
            if (bad_reg[i] && event_ok[i] && !count_reg[i][DW]) begin
                bad_any   = 1'b1;
                bad_queue = i[QW-1:0];
            end
    end
    wire a_ok = s_a_valid && !count_reg[s_a_queue][DW];
    wire b_ok = s_b_valid && !count_reg[s_b_queue][DW];
    assign s_a_ready = a_ok && !bad_any;
    assign s_b_ready = b_ok && !bad_any && !a_ok;
    assign event_valid = bad_any;
    assign event_queue = bad_queue;
    wire          put       = bad_any || a_ok || b_ok;
    wire [QW-1:0] put_queue = bad_any ? bad_queue : a_ok ? s_a_queue : s_b_queue;
    wire [15:0]   held_tail = tail[bad_queue*16 +: 16] & ~(16'hffff << ring_log2[bad_queue*4 +: 4]);
    wire [EW-1:0] put_entry = bad_any ? {20'd0, tod, held_tail, STATUS_BAD_DOORBELL[3:0], 1'b0}
                            : a_ok    ? {s_a_segments, s_a_time, s_a_index, s_a_status, s_a_tstamp}
                                      : {s_b_segments, s_b_time, s_b_index, s_b_status, s_b_tstamp};
    wire          put_urgent = put_entry[4:1] != STATUS_OK[3:0];

    // ---- choose a queue whose time has come
    logic [QUEUES-1:0] due, first, running, expired;
    logic          busy_reg;                            // writing a batch
    logic [QW-1:0] queue_reg;
    logic [DW:0]   left_reg;                            // of the batch
    logic          head_reg;                            // the head record is to be written after it
    logic          grant_valid;
    logic [QW-1:0] grant;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            wire enough = {{(5-DW){1'b0}}, count_reg[q]} >= {1'b0, threshold[q*5 +: 5]};
            wire timed  = timer_ns[q*32 +: 32] != 32'd0;
            wire mine   = busy_reg && queue_reg == q;
            assign due[q] = count_reg[q] != '0 && !mine
                         && (enough || urgent_reg[q] || q_hurry[q] || (timed && expired[q]));
            // the timer of what comes after a batch starts with the batch
            assign first[q]   = (put && put_queue == q && count_reg[q] == '0) || mine;
            assign running[q] = count_reg[q] != '0 && !mine && timed && !due[q];
            assign none_pending[q] = count_reg[q] == '0 && !mine && issued_reg[q] == visible_reg[q]
                                  && !(bad_reg[q] && q_enable[q]);
            assign issued[q*16 +: 16]  = issued_reg[q];
            assign visible[q*16 +: 16] = visible_reg[q];
        end
    endgenerate
    rw_timers #(.QUEUES(QUEUES)) timers (
        .clk(clk), .tod(tod), .start(first), .period(timer_ns), .running(running), .expired(expired),
        .deadline_valid(deadline_valid), .deadline(deadline)
    );
    rw_arbiter #(.N(QUEUES)) choose (
        .clk(clk), .rst(rst), .request(due), .grant_valid(grant_valid), .grant(grant), .accept(!busy_reg)
    );

    // ---- write a batch, an entry a cycle
    logic [15:0] ring_reg    [0:QUEUES-1];              // entries of the ring written
    logic [15:0] head_index_reg;                        // of the batch's last entry
    logic [LINE-1:0]   line_reg;                        // entries that go with the next one
    logic [LINE/8-1:0] strobe_reg;
    logic        hurry_reg;                             // an error waits for the next write

    wire [63:0] head_at   = head_addr[queue_reg*64 +: 64];
    wire        head_mode = head_at[0];
    wire [EW-1:0] entry   = mem[MW'({queue_reg, out_reg[queue_reg]})];
    wire        entry_err = entry[4:1] != STATUS_OK[3:0];
    wire [15:0] ring_at   = ring_reg[queue_reg];
    wire [3:0]  log2      = ring_log2[queue_reg*4 +: 4];
    wire [16:0] passes    = {1'b1, ring_at} >> log2;    // lowest bit: of the pass over the ring
    wire [15:0] slot      = ring_at & ~(16'hffff << log2);
    wire [127:0] record   = {~passes[0], 11'd0, entry[85 +: 20], 7'd0, entry[0], 4'd0, entry[4:1], entry[5 +: 16],
                             entry[21 +: 64]};
    wire [63:0] head_record = {32'd0, issued_reg[queue_reg], head_index_reg};

    logic       aw_free, w_free, ack_ready;
    wire        can_write = aw_free && w_free && ack_ready;
    wire        in_batch  = busy_reg && left_reg != '0;
    wire        to_ring   = !head_mode || entry_err;
    wire        last      = left_reg == 1;
    wire        line_full = (slot & (LANES[15:0] - 16'd1)) == LANES[15:0] - 16'd1;
    wire        step      = in_batch && can_write;
    wire        write_ring = step && to_ring && (last || line_full || head_mode);
    wire        write_head = busy_reg && left_reg == '0 && head_reg && can_write;
    wire        emit       = write_ring || write_head;

    wire [63:0] ring_addr = cpl_base[queue_reg*64 +: 64] + {44'd0, slot, 4'd0};
    wire [63:0] addr      = write_head ? head_at & ~64'd7 : ring_addr;
    wire        unused    = &{1'b0, passes[16:1], addr[BB-1:0], line_reg, strobe_reg};
    wire [LINE-1:0]   line_at   = {{(LINE-128){1'b0}}, record};
    wire [LINE/8-1:0] strobe_at = {{(LINE/8-16){1'b0}}, 16'hffff};
    wire [LINE-1:0]   head_line   = {{(LINE-64){1'b0}}, head_record};
    wire [LINE/8-1:0] head_strobe = {{(LINE/8-8){1'b0}}, 8'hff};
    wire [LINE-1:0]   line, head_part;                  // of the ring, and of the head record
    wire [LINE/8-1:0] strobe, head_bytes;
    generate
        if (LANES > 1) begin : g_place
            wire [LB-1:0] lane = slot[LB-1:0];
            wire [LB:0]   half = head_at[3 +: LB+1];
            assign line       = line_reg | (line_at << {lane, 7'd0});
            assign strobe     = strobe_reg | (strobe_at << {lane, 4'd0});
            assign head_part  = head_line << {half, 6'd0};
            assign head_bytes = head_strobe << {half, 3'd0};
        end else begin : g_place
            assign line       = line_at;
            assign strobe     = strobe_at;
            if (DATA_W == 128) begin : g_half
                assign head_part  = head_line << {head_at[3], 6'd0};
                assign head_bytes = head_strobe << {head_at[3], 3'd0};
            end else begin : g_half
                assign head_part  = head_line;
                assign head_bytes = head_strobe;
            end
        end
    endgenerate

    // ---- AXI write address and data, each held until taken
    logic              awvalid_reg, wvalid_reg;
    logic [63:0]       awaddr_reg;
    logic [LINE-1:0]   wdata_reg;
    logic [LINE/8-1:0] wstrb_reg;
    assign aw_free       = !awvalid_reg || m_axi_awready;
    assign m_axi_awvalid = awvalid_reg;
    assign m_axi_awaddr  = awaddr_reg;
    assign m_axi_wvalid  = wvalid_reg;
    assign m_axi_wdata   = wdata_reg[DATA_W-1:0];
    assign m_axi_wstrb   = wstrb_reg[DATA_W/8-1:0];
    generate
        if (DATA_W >= 128) begin : g_one_beat
            assign w_free      = !wvalid_reg || m_axi_wready;
            assign m_axi_awlen = 8'd0;
            assign m_axi_wlast = 1'b1;
            always_ff @(posedge clk) begin
                if (m_axi_wready) wvalid_reg <= 1'b0;
                if (emit) begin
                    wvalid_reg <= 1'b1;
                    wdata_reg  <= write_head ? head_part : line;
                    wstrb_reg  <= write_head ? head_bytes : strobe;
                end
                if (rst) wvalid_reg <= 1'b0;
            end
        end else begin : g_two_beats                    // the half with the phase goes second
            logic [7:0] awlen_reg;
            logic       more_reg;
            assign w_free      = !wvalid_reg || (m_axi_wready && !more_reg);
            assign m_axi_awlen = awlen_reg;
            assign m_axi_wlast = !more_reg;
            always_ff @(posedge clk) begin
                if (wvalid_reg && m_axi_wready) begin
                    wvalid_reg <= more_reg;
                    more_reg   <= 1'b0;
                    wdata_reg  <= wdata_reg >> DATA_W;
                    wstrb_reg  <= wstrb_reg >> (DATA_W / 8);
                end
                if (emit) begin
                    awlen_reg  <= write_head ? 8'd0 : 8'd1;
                    wvalid_reg <= 1'b1;
                    more_reg   <= !write_head;
                    wdata_reg  <= write_head ? head_part : line;
                    wstrb_reg  <= write_head ? head_bytes : strobe;
                end
                if (rst) begin
                    wvalid_reg <= 1'b0;
                    more_reg   <= 1'b0;
                end
            end
        end
    endgenerate

    // ---- write responses, in order
    localparam AW = QW + 16 + 2;
    logic          ack_valid, ack_urgent, ack_counts, acks_awake;
    logic [QW-1:0] ack_queue;
    logic [15:0]   ack_issued;
    wire [15:0]    issued_now = issued_reg[queue_reg] + {15'd0, step};
    // deep enough for a write each cycle over 2 us of memory latency at 250 MHz
    rw_fifo_ram #(.W(AW), .DEPTH(512)) acks (
        .clk(clk), .rst(rst),
        .s_valid(emit), .s_ready(ack_ready),
        .s_data({queue_reg, issued_now, hurry_reg || (step && entry_err), write_head || !head_mode}),
        .m_valid(ack_valid), .m_ready(m_axi_bvalid), .m_data({ack_queue, ack_issued, ack_urgent, ack_counts}),
        .awake(acks_awake)
    );
    // only with a response: the FIFO's word is unknown while it is empty
    wire [QUEUES-1:0] ack_mask = m_axi_bvalid ? {{(QUEUES-1){1'b0}}, 1'b1} << ack_queue : '0;
    assign urgent_seen  = (m_axi_bvalid && ack_urgent && ack_counts) ? ack_mask : '0;
    assign write_failed = m_axi_berr ? ack_mask : '0;
    assign stat_cpl     = step && to_ring;
    assign stat_head    = write_head;
    assign idle = !put && !busy_reg && due == '0 && !awvalid_reg && !wvalid_reg && !m_axi_bvalid;
    assign awake = !idle || bad_doorbell != '0 || bad_reg != '0 || q_clear != '0 || acks_awake;

    integer k;
    always_ff @(posedge clk) begin
        if (put) begin
            mem[MW'({put_queue, in_reg[put_queue]})] <= put_entry;
            in_reg[put_queue] <= in_reg[put_queue] + 1'b1;
        end

        if (!busy_reg) begin
            busy_reg   <= grant_valid;
            queue_reg  <= grant;
            left_reg   <= count_reg[grant];
            head_reg   <= head_addr[grant*64];
            hurry_reg  <= 1'b0;
            line_reg   <= '0;
            strobe_reg <= '0;
        end else begin
            if (step) begin
                left_reg       <= left_reg - 1'b1;
                head_index_reg <= entry[5 +: 16];
                out_reg[queue_reg]    <= out_reg[queue_reg] + 1'b1;
                issued_reg[queue_reg] <= issued_now;
                if (to_ring) ring_reg[queue_reg] <= ring_at + 16'd1;
                // what is urgent is the write that holds an error, with head write-back the record
                hurry_reg  <= (hurry_reg || entry_err) && !(write_ring && !head_mode);
                line_reg   <= (write_ring || !to_ring) ? '0 : line;
                strobe_reg <= (write_ring || !to_ring) ? '0 : strobe;
                if (last && !head_reg) busy_reg <= 1'b0;
            end
            if (write_head) busy_reg <= 1'b0;
        end

        if (m_axi_awready) awvalid_reg <= 1'b0;
        if (emit) begin
            awvalid_reg <= 1'b1;
            awaddr_reg  <= {addr[63:BB], {BB{1'b0}}};
        end
        if (m_axi_bvalid && ack_counts) visible_reg[ack_queue] <= ack_issued;

        for (k = 0; k < QUEUES; k = k + 1) begin
            count_reg[k] <= count_reg[k] + {{DW{1'b0}}, put && put_queue == k[QW-1:0]}
                                         - {{DW{1'b0}}, step && queue_reg == k[QW-1:0]};
            if (put && put_queue == k[QW-1:0] && put_urgent) urgent_reg[k] <= 1'b1;
            else if (!busy_reg && grant_valid && grant == k[QW-1:0]) urgent_reg[k] <= 1'b0;
            // a queue that is not enabled may have no ring to report to
            if (bad_doorbell[k] && q_enable[k]) bad_reg[k] <= 1'b1;
            else if ((bad_any && bad_queue == k[QW-1:0]) || !q_enable[k]) bad_reg[k] <= 1'b0;
            if (rst || q_clear[k]) begin
                count_reg[k]   <= '0;
                in_reg[k]      <= '0;
                out_reg[k]     <= '0;
                issued_reg[k]  <= '0;
                ring_reg[k]    <= '0;
                visible_reg[k] <= '0;
                urgent_reg[k]  <= 1'b0;
                bad_reg[k]     <= 1'b0;
            end
        end
        if (rst) begin
            busy_reg    <= 1'b0;
            left_reg    <= '0;
            queue_reg   <= '0;
            awvalid_reg <= 1'b0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(gathered_completions_never_overflow, !put || !count_reg[put_queue][DW])
        `RW_CHECK(response_belongs_to_a_write, !m_axi_bvalid || ack_valid)
    end
endmodule
