# SUPERPIX_SANITIZE=address,undefined instruments everything that is built, the tests included.
if(SUPERPIX_SANITIZE)
  # -O2 and -g multiply the time of compilation.
  add_compile_options(-fsanitize=${SUPERPIX_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all -O1 -g1)
  add_link_options(-fsanitize=${SUPERPIX_SANITIZE})
endif()
