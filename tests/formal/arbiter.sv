// Any requests to rw_arbiter: a requester is granted, the first behind the one served last, so that a request that
// stands waits for N - 1 others at most.
`include "rw_check.svh"
module arbiter #(
    parameter N  = 4,
    parameter NW = $clog2(N)
) (
    input logic         clk,
    input logic         rst,
    input logic [N-1:0] request,
    input logic         accept
);
    logic          grant_valid;
    logic [NW-1:0] grant;
    rw_arbiter #(.N(N)) dut (.*);

    (* hierconn *) wire [N-1:0] \dut.after_reg ;

    (* anyconst *) logic [NW-1:0] mine;                // any requester
    logic [NW-1:0] last;                               // served last
    logic [NW:0]   waited;                             // others served while it requests
    wire [NW-1:0] before = mine - last - 1'b1;         // requesters between
    wire [NW-1:0] ahead  = grant - last - 1'b1;
    initial assume (rst);
    always @(posedge clk) begin
        if (accept && grant_valid) last <= grant;
        if (!request[mine] || (accept && grant == mine)) waited <= '0;
        else if (accept)                                 waited <= waited + 1'b1;
        if (rst) begin
            last   <= '1;
            waited <= '0;
        end
        if (!rst) begin
            `RW_CHECK(a_request_is_granted, grant_valid == (request != '0))
            `RW_CHECK(a_requester_is_granted, !grant_valid || request[grant])
            `RW_CHECK(none_is_passed_over, !(grant_valid && request[mine]) || ahead <= before)
            `RW_CHECK(waits_for_all_others_at_most, waited <= N - 1)
            `RW_CHECK(turns_come_nearer, waited + before <= N - 1)
            `RW_CHECK(last_one_is_known, \dut.after_reg == ({N{1'b1}} << last) << 1)
            waits_for_all_others: cover (waited == N - 1 && grant_valid && grant == mine);
            nothing_to_do: cover (accept && !grant_valid && last == 1);
        end
    end
endmodule
