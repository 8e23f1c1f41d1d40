// A puppet with the device's ports: it reads, writes, sends frames, interrupts and breaks rules as register writes tell
// it, so that the simulated world can be tested by itself. tests/cosim_jobs.py names its registers.
`timescale 1ps / 1ps
module ringwire_tx #(
    parameter DATA_W = 512,
    parameter QUEUES = 1,
    parameter MARK = 0  // what MARKED reads as
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         tod,
    input  wire [15:0]         s_axil_awaddr,
    input  wire [2:0]          s_axil_awprot,
    input  wire                s_axil_awvalid,
    output wire                s_axil_awready,
    input  wire [31:0]         s_axil_wdata,
    input  wire [3:0]          s_axil_wstrb,
    input  wire                s_axil_wvalid,
    output wire                s_axil_wready,
    output reg  [1:0]          s_axil_bresp,
    output reg                 s_axil_bvalid,
    input  wire                s_axil_bready,
    input  wire [15:0]         s_axil_araddr,
    input  wire [2:0]          s_axil_arprot,
    input  wire                s_axil_arvalid,
    output wire                s_axil_arready,
    output reg  [31:0]         s_axil_rdata,
    output reg  [1:0]          s_axil_rresp,
    output reg                 s_axil_rvalid,
    input  wire                s_axil_rready,
    output wire [0:0]          m_axi_arid,
    output wire [63:0]         m_axi_araddr,
    output wire [7:0]          m_axi_arlen,
    output wire [2:0]          m_axi_arsize,
    output wire [1:0]          m_axi_arburst,
    output wire                m_axi_arlock,
    output wire [3:0]          m_axi_arcache,
    output wire [2:0]          m_axi_arprot,
    output wire                m_axi_arvalid,
    input  wire                m_axi_arready,
    input  wire [0:0]          m_axi_rid,
    input  wire [DATA_W-1:0]   m_axi_rdata,
    input  wire [1:0]          m_axi_rresp,
    input  wire                m_axi_rlast,
    input  wire                m_axi_rvalid,
    output wire                m_axi_rready,
    output wire [0:0]          m_axi_awid,
    output wire [63:0]         m_axi_awaddr,
    output wire [7:0]          m_axi_awlen,
    output wire [2:0]          m_axi_awsize,
    output wire [1:0]          m_axi_awburst,
    output wire                m_axi_awlock,
    output wire [3:0]          m_axi_awcache,
    output wire [2:0]          m_axi_awprot,
    output wire                m_axi_awvalid,
    input  wire                m_axi_awready,
    output wire [DATA_W-1:0]   m_axi_wdata,
    output wire [DATA_W/8-1:0] m_axi_wstrb,
    output wire                m_axi_wlast,
    output wire                m_axi_wvalid,
    input  wire                m_axi_wready,
    input  wire [0:0]          m_axi_bid,
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready,
    output wire [DATA_W-1:0]   m_axis_tdata,
    output wire [DATA_W/8-1:0] m_axis_tkeep,
    output wire                m_axis_tvalid,
    input  wire                m_axis_tready,
    output wire                m_axis_tlast,
    output wire [25:0]         m_axis_tuser,
    output reg  [QUEUES-1:0]   irq,
    output wire                quiet,
    output reg                 deadline_valid,
    output reg  [63:0]         deadline
);

    localparam BYTES = DATA_W / 8;
    localparam SIZE = $clog2(BYTES);

    // Registers: arguments, then what a write sets going.
    localparam ADDR_LO = 'h00, ADDR_HI = 'h04, LEN = 'h08, ID = 'h0C, COUNT = 'h10, BREAK = 'h14, STROBE_LO = 'h18,
        STROBE_HI = 'h1C, READ = 'h20, WRITE = 'h24, FRAME = 'h28, IRQ = 'h2C, DEADLINE = 'h30, DELAY = 'h34,
        SLOW = 'h38, ECHO = 'h3C;
    // Registers to read.
    localparam BEATS = 'h40, READ_ERRORS = 'h44, RESPONSES = 'h48, WRITE_ERRORS = 'h4C, WORD = 'h50, ORDER = 'h54, MARKED = 'h58;
    // Rules that BREAK can break.
    localparam AR_CHANGES = 1, AR_SIZE = 2, AR_BURST = 3, RREADY_FALLS = 4, AW_CHANGES = 5, AW_BURST = 6, W_EARLY = 7,
        W_LAST = 8, TVALID_FALLS = 9, TKEEP_HOLE = 10, TKEEP_PARTIAL = 11, TUSER_ERROR = 12, TUSER_CHANGES = 13,
        UNKNOWN_DATA = 14, UNKNOWN_VALID = 15, FALSELY_QUIET = 16, AW_SIZE = 17, B_STRAY = 18,
        R_STRAY = 19, W_CHANGES = 20, TDATA_CHANGES = 21, AR_LOCK = 22, AW_LOCK = 23,
        B_UNKNOWN = 24;

    reg [63:0]       addr;
    reg [31:0]       len;
    reg [31:0]       id;
    reg [31:0]       count;
    reg [31:0]       breaks;
    reg [63:0]       strobe;
    reg [31:0]       slow;    // edges that a register write is made to wait
    reg [31:0]       waited;
    reg [31:0]       echo;
    reg [DATA_W-1:0] buffer [0:255];  // what the last reads of id 0 brought

    // -- registers
    wire write = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid && waited >= slow;
    wire read = s_axil_arvalid && !s_axil_rvalid;
    assign s_axil_awready = write;
    assign s_axil_wready = write;
    assign s_axil_arready = read;
    wire [31:0] value = s_axil_wdata;

    // -- what is under way
    reg [31:0] reads_left;
    reg [63:0] read_addr;
    reg        aw_left;
    reg [8:0]  w_left;
    reg [8:0]  w_beat;
    reg [31:0] frame_left;
    reg [7:0]  frame_beat;
    reg [31:0] delay;
    reg        toggle;
    reg [31:0] beats;
    reg [31:0] read_errors;
    reg [31:0] responses;
    reg [31:0] write_errors;
    reg [31:0] order;  // the ids of the last 32 read beats
    reg [7:0]  stored;
    reg        gap;

    assign m_axi_arid = id[0];
    assign m_axi_araddr = read_addr + (breaks == AR_CHANGES && toggle ? 64 : 0);
    assign m_axi_arlen = len[7:0];
    assign m_axi_arsize = breaks == AR_SIZE ? SIZE - 1 : SIZE;
    assign m_axi_arburst = breaks == AR_BURST ? 2'd0 : 2'd1;
    assign m_axi_arlock = breaks == AR_LOCK;
    assign m_axi_arcache = 4'b0011;
    assign m_axi_arprot = 3'b010;
    assign m_axi_arvalid = reads_left != 0;
    assign m_axi_rready = breaks != RREADY_FALLS;
    assign m_axi_awid = id[0];
    assign m_axi_awaddr = addr + (breaks == AW_CHANGES && toggle ? 64 : 0);
    assign m_axi_awlen = len[7:0];
    assign m_axi_awsize = breaks == AW_SIZE ? SIZE - 1 : SIZE;
    assign m_axi_awburst = breaks == AW_BURST ? 2'd2 : 2'd1;
    assign m_axi_awlock = breaks == AW_LOCK;
    assign m_axi_awcache = 4'b0011;
    assign m_axi_awprot = 3'b010;
    assign m_axi_awvalid = aw_left && breaks != W_EARLY;
    assign m_axi_wdata = buffer[w_beat[7:0]] ^ (breaks == W_CHANGES && toggle);
    assign m_axi_wstrb = strobe[BYTES-1:0];
    assign m_axi_wlast = breaks == W_LAST ? w_beat == 0 : w_left == 1;
    assign m_axi_wvalid = w_left != 0 && (!aw_left || breaks == W_EARLY || m_axi_awready);
    assign m_axi_bready = 1'b1;
    assign m_axis_tdata = breaks == UNKNOWN_DATA ? {DATA_W{1'bx}}
        : buffer[frame_beat] ^ (breaks == TDATA_CHANGES && toggle);
    assign m_axis_tlast = frame_left <= BYTES;
    assign m_axis_tvalid = breaks == UNKNOWN_VALID ? 1'bx : frame_left != 0 && !gap;
    wire [BYTES:0] partial = ({{BYTES{1'b0}}, 1'b1} << frame_left) - 1'b1;
    assign m_axis_tkeep = (breaks == TKEEP_HOLE && m_axis_tlast ? ~{{BYTES-2{1'b0}}, 2'b10} : {BYTES{1'b1}})
        & (breaks == TKEEP_PARTIAL ? {1'b0, {BYTES-1{1'b1}}} : m_axis_tlast ? partial[BYTES-1:0] : {BYTES{1'b1}});
    assign m_axis_tuser = {16'd0, 1'b0, breaks == TUSER_ERROR, id[7:0]} ^ (breaks == TUSER_CHANGES && frame_beat == 1);

    assign quiet = reads_left == 0 && !aw_left && w_left == 0 && frame_left == 0 && !s_axil_bvalid && !s_axil_rvalid
        && (delay == 0 || breaks == FALSELY_QUIET);

    always @(posedge clk) begin
        irq <= 0;
        toggle <= !toggle;
        waited <= s_axil_awvalid && !write ? waited + 1 : 0;
        if (write) begin
            s_axil_bvalid <= 1;
            s_axil_bresp <= s_axil_awaddr >= 'h100 ? 2'd2 : 2'd0;
            case (s_axil_awaddr)
                ADDR_LO: addr[31:0] <= value;
                ADDR_HI: addr[63:32] <= value;
                LEN: len <= value;
                ID: id <= value;
                COUNT: count <= value;
                BREAK: breaks <= value;
                STROBE_LO: strobe[31:0] <= value;
                STROBE_HI: strobe[63:32] <= value;
                READ: begin
                    reads_left <= count;
                    read_addr <= addr;
                    stored <= 0;
                end
                WRITE: begin
                    aw_left <= 1;
                    w_left <= {1'b0, len[7:0]} + 9'd1;
                    w_beat <= 0;
                end
                FRAME: begin
                    frame_left <= value;
                    frame_beat <= 0;
                end
                IRQ: irq[value] <= 1;
                DEADLINE: begin
                    deadline_valid <= 1;
                    deadline <= addr;
                end
                DELAY: delay <= value;
                SLOW: slow <= value;
                ECHO: echo <= value;
                default: ;
            endcase
        end else if (s_axil_bready) s_axil_bvalid <= breaks == B_UNKNOWN ? 1'bx : breaks == B_STRAY;
        if (read) begin
            s_axil_rvalid <= 1;
            s_axil_rresp <= s_axil_araddr >= 'h100 ? 2'd2 : 2'd0;
            case (s_axil_araddr)
                BEATS: s_axil_rdata <= beats;
                READ_ERRORS: s_axil_rdata <= read_errors;
                RESPONSES: s_axil_rdata <= responses;
                WRITE_ERRORS: s_axil_rdata <= write_errors;
                WORD: s_axil_rdata <= buffer[0][31:0];
                ORDER: s_axil_rdata <= order;
                MARKED: s_axil_rdata <= MARK;
                ECHO: s_axil_rdata <= echo;
                default: s_axil_rdata <= 32'd0;
            endcase
        end else if (s_axil_rready) s_axil_rvalid <= breaks == R_STRAY;

        if (m_axi_arvalid && m_axi_arready) begin
            reads_left <= reads_left - 1;
            read_addr <= read_addr + (len + 1) * BYTES;
        end
        if (m_axi_rvalid && m_axi_rready) begin
            beats <= beats + 1;
            if (m_axi_rresp != 0) read_errors <= read_errors + 1;
            order <= {order[30:0], m_axi_rid};
            if (m_axi_rid == 0) begin
                buffer[stored] <= m_axi_rdata;
                stored <= stored + 1'b1;
            end
        end
        if (m_axi_awvalid && m_axi_awready) aw_left <= 0;
        if (m_axi_wvalid && m_axi_wready) begin
            w_left <= w_left - 1'b1;
            w_beat <= w_beat + 1'b1;
        end
        if (m_axi_bvalid) begin
            responses <= responses + 1;
            if (m_axi_bresp != 0) write_errors <= write_errors + 1;
        end
        gap <= breaks == TVALID_FALLS && frame_beat == 0 && frame_left != 0 && !gap;
        if (m_axis_tvalid && m_axis_tready) begin
            frame_left <= m_axis_tlast ? 0 : frame_left - BYTES;
            frame_beat <= frame_beat + 1'b1;
        end
        if (deadline_valid && tod >= deadline) begin
            deadline_valid <= 0;
            irq[0] <= 1;
        end
        if (delay != 0) begin
            delay <= delay - 1;
            if (delay == 1) irq[0] <= 1;
        end

        if (rst) begin
            s_axil_bvalid <= 0;
            s_axil_rvalid <= 0;
            breaks <= 0;
            slow <= 0;
            waited <= 0;
            echo <= 0;
            strobe <= {64{1'b1}};
            id <= 0;
            count <= 1;
            len <= 0;
            reads_left <= 0;
            aw_left <= 0;
            w_left <= 0;
            frame_left <= 0;
            frame_beat <= 0;
            gap <= 0;
            delay <= 0;
            toggle <= 0;
            beats <= 0;
            read_errors <= 0;
            responses <= 0;
            write_errors <= 0;
            order <= 0;
            deadline_valid <= 0;
        end
    end

endmodule
