// Registers on AXI4-Lite. A write that is refused (unknown address, read-only register, narrow strobe, value out of
// range, configuration of a queue at work) gets SLVERR and changes nothing; so does a read of an unknown address.
// Rate: a write each 2 cycles, a read each 2 cycles. Latency: doorbell to the engine 1 cycle, read 1 cycle.
`include "rw_check.svh"
module rw_csr #(
    parameter DATA_W = 512,                             // width of the data path, bits (reported)
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter MAX_DESC = 64                             // descriptors a packet may have (reported)
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [15:0]          s_axil_awaddr,
    input  logic                 s_axil_awvalid,
    output logic                 s_axil_awready,
    input  logic [31:0]          s_axil_wdata,
    input  logic [3:0]           s_axil_wstrb,
    input  logic                 s_axil_wvalid,
    output logic                 s_axil_wready,
    output logic [1:0]           s_axil_bresp,
    output logic                 s_axil_bvalid,
    input  logic                 s_axil_bready,
    input  logic [15:0]          s_axil_araddr,
    input  logic                 s_axil_arvalid,
    output logic                 s_axil_arready,
    output logic [31:0]          s_axil_rdata,
    output logic [1:0]           s_axil_rresp,
    output logic                 s_axil_rvalid,
    input  logic                 s_axil_rready,
    // global configuration
    output logic                 enable,
    output logic                 at_fetch,
    output logic                 pacer_open,
    output logic [53:0]          byte_time,             // 2^-40 ns
    output logic [31:0]          commit_bound,          // wire bytes
    output logic [23:0]          launch_lead,           // ns
    // queue configuration
    output logic [QUEUES-1:0]    q_enable,
    output logic [QUEUES-1:0]    q_resetting,
    output logic [QUEUES*64-1:0] ring_base,
    output logic [QUEUES*4-1:0]  ring_log2,
    output logic [QUEUES*64-1:0] cpl_base,
    output logic [QUEUES*64-1:0] head_addr,
    output logic [QUEUES-1:0]    irq_mask,
    output logic [QUEUES*16-1:0] mod_frames,
    output logic [QUEUES*32-1:0] mod_ns,
    output logic [QUEUES*5-1:0]  cpl_threshold,
    output logic [QUEUES*32-1:0] cpl_timer_ns,
    output logic [QUEUES*3-1:0]  priorities,
    output logic [QUEUES*18-1:0] weights,               // bytes
    output logic [QUEUES*54-1:0] q_byte_time,           // 2^-40 ns
    // doorbells: pulses, checked against the ring
    output logic                 db_valid,
    output logic [QW-1:0]        db_queue,
    output logic [15:0]          db_tail,
    output logic                 con_valid,
    output logic [QW-1:0]        con_queue,
    output logic [15:0]          con_index,
    output logic                 con_arm,
    input  logic                 con_ok,                // in the same cycle as con_valid
    output logic [QUEUES-1:0]    bad_doorbell,          // pulse
    // state
    input  logic [QUEUES-1:0]    q_idle,
    input  logic [QUEUES-1:0]    q_error,
    input  logic [QUEUES-1:0]    q_clear,               // reset done
    input  logic [QUEUES*16-1:0] q_head,
    input  logic [QUEUES*16-1:0] q_asked,
    input  logic [QUEUES*16-1:0] q_visible,
    output logic [4:0]           stat_select,
    input  logic [63:0]          stat_value,
    output logic                 idle,
    output logic                 awake
);
`include "ringwire_regs.svh"
    localparam [1:0] OKAY = 2'b00, SLVERR = 2'b10;

    // ---- writes
    logic        w_valid_reg;                           // a write is being carried out
    logic [15:0] w_addr_reg;
    logic [31:0] w_data_reg;
    logic        w_full_reg;                            // all four bytes are strobed
    wire w_take = s_axil_awvalid && s_axil_wvalid && !w_valid_reg && (!s_axil_bvalid || s_axil_bready);
    assign s_axil_awready = w_take;
    assign s_axil_wready  = w_take;

    wire          w_queue_space = w_addr_reg[15:12] == 4'd1 && {28'd0, w_addr_reg[11:8]} < QUEUES;
    wire [QW-1:0] wq     = w_addr_reg[8 +: QW];
    wire [15:0]   w_off  = {8'd0, w_addr_reg[7:0]};
    wire          config_ok = !q_enable[wq] && !q_resetting[wq] && q_idle[wq];
    wire          in_ring   = w_data_reg < (32'd1 << ring_log2[wq*4 +: 4]);
    logic         w_ok;                                 // the write is carried out
    always @* begin
        w_ok = 1'b0;
        if (w_queue_space) begin
            case (w_off)
                REG_Q_CTRL:         w_ok = !q_resetting[wq] && w_data_reg[31:2] == '0;
                REG_Q_RING_LO,
                REG_Q_CPL_LO:       w_ok = config_ok && w_data_reg[6:0] == '0;
                REG_Q_RING_HI,
                REG_Q_CPL_HI,
                REG_Q_HEAD_HI:      w_ok = config_ok;
                REG_Q_HEAD_LO:      w_ok = config_ok && w_data_reg[2:1] == '0;
                REG_Q_RING_LOG2:    w_ok = config_ok && w_data_reg >= MIN_RING_LOG2 && w_data_reg <= MAX_RING_LOG2;
                REG_Q_TAIL:         w_ok = !q_resetting[wq] && in_ring;
                REG_Q_CPL_CONSUMED,
                REG_Q_CPL_ARM:      w_ok = con_ok;
                REG_Q_IRQ_MASK:     w_ok = w_data_reg[31:1] == '0;
                REG_Q_MOD_FRAMES:   w_ok = w_data_reg[31:15] == '0;
                REG_Q_MOD_NS,
                REG_Q_CPL_TIMER_NS: w_ok = !w_data_reg[31];
                REG_Q_PRIORITY:     w_ok = w_data_reg[31:3] == '0;
                REG_Q_WEIGHT:       w_ok = w_data_reg == '0 || (w_data_reg >= MIN_WEIGHT && w_data_reg <= MAX_WEIGHT);
                REG_Q_BYTE_TIME_LO: w_ok = 1'b1;
                REG_Q_BYTE_TIME_HI: w_ok = w_data_reg[31:22] == '0;
                REG_Q_CPL_THRESHOLD: w_ok = w_data_reg != '0 && w_data_reg <= MAX_CPL_THRESHOLD;
                default:            w_ok = 1'b0;
            endcase
        end else begin
            case (w_addr_reg)
                REG_CTRL:           w_ok = w_data_reg[31:3] == '0;
                REG_BYTE_TIME_LO,
                REG_COMMIT_BOUND:   w_ok = 1'b1;
                REG_BYTE_TIME_HI:   w_ok = w_data_reg[31:22] == '0;
                REG_LAUNCH_LEAD:    w_ok = w_data_reg[31:24] == '0;
                default:            w_ok = 1'b0;
            endcase
        end
        if (!w_full_reg) w_ok = 1'b0;
    end
    wire w_go = w_valid_reg && w_ok;

    wire is_tail = w_valid_reg && w_full_reg && w_queue_space && w_off == REG_Q_TAIL;
    wire is_con  = w_valid_reg && w_full_reg && w_queue_space
                && (w_off == REG_Q_CPL_CONSUMED || w_off == REG_Q_CPL_ARM);
    assign db_valid  = is_tail && w_ok;
    assign db_queue  = wq;
    assign db_tail   = w_data_reg[15:0];
    assign con_valid = is_con && w_data_reg[31:16] == '0;
    assign con_queue = wq;
    assign con_index = w_data_reg[15:0];
    assign con_arm   = w_off == REG_Q_CPL_ARM;
    wire   refused   = (is_tail && !w_ok && !q_resetting[wq]) || (is_con && !con_ok);
    assign bad_doorbell = refused ? {{(QUEUES-1){1'b0}}, 1'b1} << wq : '0;

    logic [QUEUES-1:0] bad_doorbell_reg;                // sticky
    integer k;
    always_ff @(posedge clk) begin
        w_valid_reg <= w_take;
        if (w_take) begin
            w_addr_reg <= s_axil_awaddr;
            w_data_reg <= s_axil_wdata;
            w_full_reg <= s_axil_wstrb == 4'hf;
        end
        if (s_axil_bready) s_axil_bvalid <= 1'b0;
        if (w_valid_reg) begin
            s_axil_bvalid <= 1'b1;
            s_axil_bresp  <= w_ok ? OKAY : SLVERR;
        end
        if (w_go && w_queue_space)
            case (w_off)
                REG_Q_CTRL: begin
                    q_enable[wq]    <= w_data_reg[Q_CTRL_ENABLE_LSB];
                    q_resetting[wq] <= w_data_reg[Q_CTRL_RESET_LSB];
                end
                REG_Q_RING_LO:       ring_base[wq*64 +: 32]      <= w_data_reg;
                REG_Q_RING_HI:       ring_base[wq*64 + 32 +: 32] <= w_data_reg;
                REG_Q_RING_LOG2:     ring_log2[wq*4 +: 4]        <= w_data_reg[3:0];
                REG_Q_CPL_LO:        cpl_base[wq*64 +: 32]       <= w_data_reg;
                REG_Q_CPL_HI:        cpl_base[wq*64 + 32 +: 32]  <= w_data_reg;
                REG_Q_HEAD_LO:       head_addr[wq*64 +: 32]      <= w_data_reg;
                REG_Q_HEAD_HI:       head_addr[wq*64 + 32 +: 32] <= w_data_reg;
                REG_Q_IRQ_MASK:      irq_mask[wq]                <= w_data_reg[0];
                REG_Q_MOD_FRAMES:    mod_frames[wq*16 +: 16]     <= w_data_reg[15:0];
                REG_Q_MOD_NS:        mod_ns[wq*32 +: 32]         <= w_data_reg;
                REG_Q_CPL_THRESHOLD: cpl_threshold[wq*5 +: 5]    <= w_data_reg[4:0];
                REG_Q_CPL_TIMER_NS:  cpl_timer_ns[wq*32 +: 32]   <= w_data_reg;
                REG_Q_PRIORITY:      priorities[wq*3 +: 3]       <= w_data_reg[2:0];
                REG_Q_WEIGHT:        weights[wq*18 +: 18]        <= w_data_reg[17:0];
                REG_Q_BYTE_TIME_LO:  q_byte_time[wq*54 +: 32]    <= w_data_reg;
                REG_Q_BYTE_TIME_HI:  q_byte_time[wq*54 + 32 +: 22] <= w_data_reg[21:0];
                default: ;
            endcase
        if (w_go && !w_queue_space)
            case (w_addr_reg)
                REG_CTRL: begin
                    enable     <= w_data_reg[CTRL_ENABLE_LSB];
                    at_fetch   <= w_data_reg[CTRL_COMPLETE_AT_FETCH_LSB];
                    pacer_open <= w_data_reg[CTRL_PACER_OPEN_LSB];
                end
                REG_BYTE_TIME_LO: byte_time[31:0]  <= w_data_reg;
                REG_BYTE_TIME_HI: byte_time[53:32] <= w_data_reg[21:0];
                REG_COMMIT_BOUND: commit_bound     <= w_data_reg;
                REG_LAUNCH_LEAD:  launch_lead      <= w_data_reg[23:0];
                default: ;
            endcase
        for (k = 0; k < QUEUES; k = k + 1) begin
            if (bad_doorbell[k]) bad_doorbell_reg[k] <= 1'b1;
            if (q_clear[k]) begin
                q_enable[k]         <= 1'b0;
                q_resetting[k]      <= 1'b0;
                bad_doorbell_reg[k] <= 1'b0;
            end
        end
        if (rst) begin
            w_valid_reg      <= 1'b0;
            s_axil_bvalid    <= 1'b0;
            enable           <= 1'b0;
            at_fetch         <= 1'b0;
            pacer_open       <= 1'b0;
            byte_time        <= '0;
            commit_bound     <= '0;
            q_enable         <= '0;
            q_resetting      <= '0;
            bad_doorbell_reg <= '0;
            ring_base        <= '0;
            ring_log2        <= {QUEUES{MIN_RING_LOG2[3:0]}};
            cpl_base         <= '0;
            head_addr        <= '0;
            irq_mask         <= '0;
            mod_frames       <= '0;
            mod_ns           <= '0;
            cpl_threshold    <= {QUEUES{5'd1}};
            cpl_timer_ns     <= '0;
            priorities       <= '0;
            weights          <= '0;
            q_byte_time      <= '0;
            launch_lead      <= 24'd4000;
        end
    end

    // ---- reads
    logic [31:0] high_reg;                              // upper half of the counter whose lower half was read
    wire          r_queue_space = s_axil_araddr[15:12] == 4'd1 && {28'd0, s_axil_araddr[11:8]} < QUEUES;
    wire [QW-1:0] rq    = s_axil_araddr[8 +: QW];
    wire [15:0]   r_off = {8'd0, s_axil_araddr[7:0]};
    wire [15:0]   stat_off = s_axil_araddr - STAT_BASE;
    wire          r_stat   = s_axil_araddr >= STAT_BASE && {19'd0, stat_off[15:3]} < STAT_COUNT
                          && s_axil_araddr[1:0] == 2'd0;
    wire [15:0]   ring_mask = ~(16'hffff << ring_log2[rq*4 +: 4]);
    wire          unused    = &{1'b0, stat_off[1:0]};
    assign stat_select = stat_off[7:3];
    wire r_take = s_axil_arvalid && s_axil_arready;
    assign s_axil_arready = !s_axil_rvalid;
    logic        r_ok;
    logic [31:0] r_value;
    always @* begin
        r_ok    = 1'b1;
        r_value = '0;
        if (r_queue_space) begin
            case (r_off)
                REG_Q_CTRL:          r_value = {30'd0, q_resetting[rq], q_enable[rq]};
                REG_Q_STATUS:        r_value = {29'd0, bad_doorbell_reg[rq], q_error[rq], q_idle[rq]};
                REG_Q_RING_LO:       r_value = ring_base[rq*64 +: 32];
                REG_Q_RING_HI:       r_value = ring_base[rq*64 + 32 +: 32];
                REG_Q_RING_LOG2:     r_value = {28'd0, ring_log2[rq*4 +: 4]};
                REG_Q_CPL_LO:        r_value = cpl_base[rq*64 +: 32];
                REG_Q_CPL_HI:        r_value = cpl_base[rq*64 + 32 +: 32];
                REG_Q_HEAD_LO:       r_value = head_addr[rq*64 +: 32];
                REG_Q_HEAD_HI:       r_value = head_addr[rq*64 + 32 +: 32];
                REG_Q_TAIL,
                REG_Q_CPL_CONSUMED,
                REG_Q_CPL_ARM:       r_value = '0;
                REG_Q_IRQ_MASK:      r_value = {31'd0, irq_mask[rq]};
                REG_Q_MOD_FRAMES:    r_value = {16'd0, mod_frames[rq*16 +: 16]};
                REG_Q_MOD_NS:        r_value = mod_ns[rq*32 +: 32];
                REG_Q_CPL_THRESHOLD: r_value = {27'd0, cpl_threshold[rq*5 +: 5]};
                REG_Q_CPL_TIMER_NS:  r_value = cpl_timer_ns[rq*32 +: 32];
                REG_Q_PRIORITY:      r_value = {29'd0, priorities[rq*3 +: 3]};
                REG_Q_WEIGHT:        r_value = {14'd0, weights[rq*18 +: 18]};
                REG_Q_BYTE_TIME_LO:  r_value = q_byte_time[rq*54 +: 32];
                REG_Q_BYTE_TIME_HI:  r_value = {10'd0, q_byte_time[rq*54 + 32 +: 22]};
                REG_Q_HEAD:          r_value = {16'd0, q_head[rq*16 +: 16]};
                REG_Q_FETCHED:       r_value = {16'd0, q_asked[rq*16 +: 16] & ring_mask};
                REG_Q_CPL_WRITTEN:   r_value = {16'd0, q_visible[rq*16 +: 16]};
                default:             r_ok    = 1'b0;
            endcase
        end else if (r_stat) begin
            r_value = stat_off[2] ? high_reg : stat_value[31:0];
        end else begin
            case (s_axil_araddr)
                REG_ID:           r_value = ID_VALUE;
                REG_VERSION:      r_value = VERSION_VALUE;
                REG_CAPS:         r_value = (QUEUES << CAPS_QUEUES_LSB) | ((DATA_W / 8) << CAPS_DATA_BYTES_LSB)
                                          | (MAX_DESC << CAPS_MAX_DESC_LSB);
                REG_CAPS_FRAME:   r_value = MAX_FRAME;
                REG_CTRL:         r_value = {29'd0, pacer_open, at_fetch, enable};
                REG_STATUS:       r_value = {31'd0, &q_idle};
                REG_BYTE_TIME_LO: r_value = byte_time[31:0];
                REG_BYTE_TIME_HI: r_value = {10'd0, byte_time[53:32]};
                REG_COMMIT_BOUND: r_value = commit_bound;
                REG_LAUNCH_LEAD:  r_value = {8'd0, launch_lead};
                default:          r_ok    = 1'b0;
            endcase
        end
    end
    always_ff @(posedge clk) begin
        if (s_axil_rready) s_axil_rvalid <= 1'b0;
        if (r_take) begin
            s_axil_rvalid <= 1'b1;
            s_axil_rresp  <= r_ok ? OKAY : SLVERR;
            s_axil_rdata  <= r_value;
            if (r_stat && !stat_off[2]) high_reg <= stat_value[63:32];
        end
        if (rst) begin
            s_axil_rvalid <= 1'b0;
            high_reg      <= '0;
        end
    end

    assign idle = !w_valid_reg && !s_axil_bvalid && !s_axil_rvalid
               && !s_axil_awvalid && !s_axil_wvalid && !s_axil_arvalid;
    assign awake = !idle || q_clear != '0;
endmodule
