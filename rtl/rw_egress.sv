// Egress: reads whole frames out of the frame buffer, pads short ones to 60 bytes, and works out what each costs on the
// wire. A frame that is not to be sent (condemned, failed, or of a queue in reset) goes on as a record without beats, so
// that completions stay in order.
// Rate: a beat a cycle, without a gap inside or between frames. Latency: 3 cycles to the first beat.
`include "rw_check.svh"
module rw_egress #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter QUEUES   = 1,                             // transmit queues
    parameter QW       = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter META_W   = QW + 39                        // frame record; derived
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [QUEUES-1:0]   q_resetting,
    input  logic [53:0]         byte_time,              // 2^-40 ns
    // frames in the buffer, in order
    input  logic                s_meta_valid,
    output logic                s_meta_ready,
    input  logic [META_W-1:0]   s_meta,                 // {queue, index, len, status, report, tstamp, at_fetch, 0}
    // frame buffer
    output logic                rd_en,
    output logic [BUF_LOG2-1:0] rd_addr,
    input  logic [DATA_W-1:0]   rd_data,                // a cycle later
    output logic                buf_release,
    output logic [BUF_LOG2:0]   buf_beats,
    // frames: a record each ...
    output logic                m_info_valid,
    input  logic                m_info_ready,
    output logic [META_W-1:0]   m_info_meta,
    output logic [69:0]         m_info_time,            // on the wire, all counted; 2^-40 ns
    // ... and the beats of those to be sent
    output logic                m_beat_valid,
    input  logic                m_beat_ready,
    output logic [DATA_W-1:0]   m_beat_data,
    output logic [BB-1:0]       m_beat_end,             // last byte of the beat that counts
    output logic                m_beat_last,
    output logic                idle
);
`include "ringwire_regs.svh"
    localparam BYTES = DATA_W / 8;

    wire [QW-1:0] queue  = s_meta[META_W-1 -: QW];
    wire [14:0]   len    = s_meta[8 +: 15];
    wire [3:0]    status = s_meta[7:4];
    wire          in_buffer = status == STATUS_OK[3:0];
    wire          aborted   = in_buffer && q_resetting[queue];
    wire          send      = in_buffer && !aborted;
    wire [14:0]   padded = (len < 15'd60) ? 15'd60 : len;
    wire [14:0]   data_beats  = (len + BYTES[14:0] - 15'd1) >> BB;
    wire [14:0]   total_beats = (padded + BYTES[14:0] - 15'd1) >> BB;

    // ---- issue one beat a cycle
    logic          mid_reg;                             // inside a frame of several beats
    logic [14:0]   beat_reg;                            // beats issued of it
    logic [BUF_LOG2-1:0] addr_reg;
    logic [3:0]    beat_count, info_count;
    logic          r_valid_reg, r_last_reg, r_pad_reg;
    logic [BB-1:0] r_end_reg;
    logic          i1_valid_reg, i2_valid_reg;
    logic          beat_ready, info_ready;

    wire beat_room = beat_count + {3'd0, r_valid_reg} < 4'd8;
    wire info_room = info_count + {3'd0, i1_valid_reg} + {3'd0, i2_valid_reg} < 4'd8;
    wire start = s_meta_valid && !mid_reg && info_room && (beat_room || !send);
    wire issue = (start && send) || (mid_reg && beat_room);
    wire [14:0] beat_now = mid_reg ? beat_reg : 15'd0;
    wire last  = beat_now + 15'd1 == total_beats;
    wire pad   = beat_now >= data_beats;
    assign s_meta_ready = (start && !send) || (issue && last);
    assign rd_en   = issue && !pad;
    assign rd_addr = addr_reg;
    assign buf_release = (start && aborted) || (issue && last);
    assign buf_beats   = data_beats[BUF_LOG2:0];
    assign idle = !start && !issue && !r_valid_reg && !i1_valid_reg && !i2_valid_reg;

    always_ff @(posedge clk) begin
        if (issue) begin
            mid_reg  <= !last;
            beat_reg <= beat_now + 15'd1;
        end
        if (start && aborted) addr_reg <= addr_reg + data_beats[BUF_LOG2-1:0];
        else if (rd_en)       addr_reg <= addr_reg + 1'b1;
        r_valid_reg <= issue;
        r_last_reg  <= last;
        r_pad_reg   <= pad;
        r_end_reg   <= last ? padded[BB-1:0] - 1'b1 : {BB{1'b1}};
        if (rst) begin
            mid_reg     <= 1'b0;
            addr_reg    <= '0;
            r_valid_reg <= 1'b0;
        end
    end

    rw_fifo #(.W(DATA_W + BB + 1), .DEPTH(8)) beats (
        .clk(clk), .rst(rst), .count(beat_count),
        .s_valid(r_valid_reg), .s_ready(beat_ready),
        .s_data({r_pad_reg ? {DATA_W{1'b0}} : rd_data, r_end_reg, r_last_reg}),
        .m_valid(m_beat_valid), .m_ready(m_beat_ready), .m_data({m_beat_data, m_beat_end, m_beat_last})
    );

    // ---- the frame's time on the wire: two halves of a product, then their sum
    wire [15:0] wire_bytes = {1'b0, padded} + 16'd24;   // preamble 8, FCS 4, inter-frame gap 12
    logic [META_W-1:0] i1_meta_reg, i2_meta_reg;
    logic [42:0] low_reg, high_reg;
    logic [69:0] time_reg;
    always_ff @(posedge clk) begin
        i1_valid_reg <= start;
        i1_meta_reg  <= {s_meta[META_W-1:8], aborted ? STATUS_ABORTED[3:0] : status, s_meta[3:0]};
        low_reg      <= {27'd0, wire_bytes} * {16'd0, byte_time[26:0]};
        high_reg     <= {27'd0, wire_bytes} * {16'd0, byte_time[53:27]};
        i2_valid_reg <= i1_valid_reg;
        i2_meta_reg  <= i1_meta_reg;
        time_reg     <= {27'd0, low_reg} + {high_reg, 27'd0};
        if (rst) begin
            i1_valid_reg <= 1'b0;
            i2_valid_reg <= 1'b0;
        end
    end
    rw_fifo #(.W(META_W + 70), .DEPTH(8)) infos (
        .clk(clk), .rst(rst), .count(info_count),
        .s_valid(i2_valid_reg), .s_ready(info_ready), .s_data({i2_meta_reg, time_reg}),
        .m_valid(m_info_valid), .m_ready(m_info_ready), .m_data({m_info_meta, m_info_time})
    );

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(beat_finds_room, !r_valid_reg || beat_ready)
        `RW_CHECK(record_finds_room, !i2_valid_reg || info_ready)
    end
endmodule
