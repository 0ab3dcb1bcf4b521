;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Which hosts a list such as no_proxy names.

(use-modules (harness)
             (ice-9 match)
             (sockport client no-proxy))

(test-begin "no-proxy")

(test-case "no_proxy"
  (for-each
   (match-lambda
     ((expected host list)
      (test-equal (cons host list) expected
        (->bool (without-proxy? host 80 list)))))
   '((#f "a.example" #f) (#f "a.example" "") (#t "a.example" "*")
     (#t "example.com" "example.com") (#t "a.example.com" "example.com")
     (#t "a.example.com" ".example.com") (#t "example.com" ".example.com")
     (#f "badexample.com" "example.com") (#f "example.com.evil" "example.com")
     (#t "EXAMPLE.com" "example.COM") (#t "example.com." "example.com")
     (#t "example.com" "example.com.") (#t "b" "a, b ,c") (#t "b" "a b c")
     (#t "example.com" "com.") (#t "example.com" "com")
     (#f "example.com" ",,. ")
     (#t "127.0.0.1" "127.0.0.1") (#f "127.0.0.1" "27.0.0.1")
     (#f "127.0.0.1" "0.0.1") (#t "10.1.2.3" "10.0.0.0/8")
     (#f "11.1.2.3" "10.0.0.0/8") (#f "10.1.2.3" "10.1.2.0/99")
     (#t "::1" "::1") (#t "[::1]" "::1") (#t "::1" "[::1]")
     (#t "::1" "0:0:0:0:0:0:0:1") (#f "::2" "::1")
     (#t "2001:db8::5" "2001:db8::/32")
     (#t "a" "a:80") (#f "a" "a:81") (#t "::1" "[::1]:80")
     (#f "::1" "[::1]:81"))))

(test-end "no-proxy")
